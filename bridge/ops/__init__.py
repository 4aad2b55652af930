"""What operators see of a running bridge: figures for Prometheus, and a line in the log for each exchange.

    exchange ends ── Meter.observer ──> cells of a Board ──> exposition.text(...) at /metrics
                 └── RequestLog     ──> one line

Nothing in here decides anything about a request, and nothing in here may hold one up: what an exchange pays is a few
additions, everything else is worked out when somebody asks.
"""
