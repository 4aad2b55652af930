"""`soapbridge up`: answer contracts and deliver to partners, all in one."""

from __future__ import annotations

from bridge.cli.bridges import Target
from bridge.cli.output import AsJson, ConfigFile
from bridge.cli.serve import Host, Port, Workers, run


def up(
    target: Target = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Answer contracts as `serve` does, and deliver to partners, until SIGTERM or Ctrl-C."""
    # Every process that answers delivers too. There is then one kind of process, which its supervisor already starts anew
    # when it dies, and a document leaves from the process that accepted it, without a word over the network.
    run(target, host, port, workers, as_json=as_json, config=config, delivers=True)
