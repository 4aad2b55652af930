"""Partners that speak JSON over HTTP: any API that a partner's file describes (docs/rest.md).

described     what the file says: calls, pages, errors, how it lets us in
api           one request: pass, places in time, answer, what it means; a token that has ended is replaced once
paging        which page comes next
backend       the verbs of a partner, made of calls
"""

from bridge.partners.rest.backend import RestBackend as RestBackend
from bridge.partners.rest.backend import backend as backend
