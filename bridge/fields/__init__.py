"""Fields of messages that not everybody may see.

path       how settings name a field: `order/line/unitPrice`, `order/@id`
places     where a contract has that field, and whether a message may be without it
hiding     fields that a caller's roles hide, taken out of a message that leaves
masking    fields declared secret, replaced by `***` where messages and errors are shown or kept
    words      the same for what errors say
    checks     what is wrong with fields that settings name
"""
