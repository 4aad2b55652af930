"""HTTP towards partners of every kind: connections that know what has left, answers within limits, JSON without floats, tokens.

Client        a request, as `requests` prepares it, and its whole answer; or the outcome that it means
json_body     JSON, read with Decimal and within bounds, and written
outcomes      what an HTTP status means for a call (docs/partners.md)
conversion    values as records have them, and as they stand in JSON
Tokens        access tokens, shared by processes and got by one of them
Bucket        so many calls in so many seconds
within        one time limit for everything that one act takes
"""
