"""Fxiaoke (纷享销客): a thin layer on the HTTP of the kind rest (docs/fxiaoke.md).

described   what the file says: who we are there, objects, how a record is named
access      tokens of both forms, and what goes along with each request
codes       what an errorCode inside HTTP 200 means
calling     the calls, each API with its own allowance
reading     pages by change and by id, single ones, counts and sums
writing     create, update, upsert by a field of ours, delete in two steps, the owner
"""

from bridge.partners.fxiaoke.backend import FxiaokeBackend as FxiaokeBackend
from bridge.partners.fxiaoke.backend import backend as backend
