"""The same operation on the bridge, and on plain Spyne as its manual shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from benchmarks.messages import CONTRACT, NAMESPACE
from bridge.app import Bridge


def bridge_application() -> Callable[..., Any]:
    """SubmitOrder (small reply) and EchoOrder (reply as large as the request), validated both ways; no store."""
    bridge = Bridge(store=False)
    orders = bridge.serve(CONTRACT)

    @orders.operation("SubmitOrder")
    def submit(request: Any, call: Any) -> dict[str, Any]:
        order = request.order
        return {"accepted": True, "tracking": f"T-{order.number}-{len(order.line)}"}

    @orders.operation("EchoOrder")
    def echo(request: Any, call: Any) -> dict[str, Any]:
        return {"order": request.order}

    return bridge.wsgi()


def spyne_application() -> Callable[..., Any]:
    """Stock Spyne, stock lxml validator, the types written by hand."""
    import bridge.host.spyne_import  # noqa: F401 - makes stock Spyne run on Python 3.12 and later

    # isort: split
    from spyne import Application, Boolean, ComplexModel, Date, Decimal, ServiceBase, Unicode, rpc
    from spyne.protocol.soap import Soap11
    from spyne.server.wsgi import WsgiApplication

    exposed: Callable[..., Callable[[Any], Any]] = rpc

    class Line(ComplexModel):  # type: ignore[misc] # Spyne is untyped
        __namespace__ = NAMESPACE
        _type_info: ClassVar = [
            ("sku", Unicode(pattern=r"[A-Z0-9\-]{3,20}", min_occurs=1)),
            ("description", Unicode),
            ("quantity", Decimal(min_occurs=1)),
            ("price", Decimal(total_digits=15, fraction_digits=4, ge=0, min_occurs=1)),
            ("due", Date(min_occurs=1)),
        ]

    class Order(ComplexModel):  # type: ignore[misc]
        __namespace__ = NAMESPACE
        _type_info: ClassVar = [
            ("number", Unicode(pattern="[A-Z]{2}-[0-9]{4,12}", min_occurs=1)),
            ("customer", Unicode(min_occurs=1)),
            ("date", Date(min_occurs=1)),
            ("currency", Unicode(pattern="[A-Z]{3}", min_occurs=1)),
            ("line", Line.customize(min_occurs=1, max_occurs="unbounded")),
        ]

    class Orders(ServiceBase):  # type: ignore[misc]
        @exposed(Order.customize(min_occurs=1), _returns=(Boolean, Unicode), _out_variable_names=("accepted", "tracking"),
             _in_variable_names={"order": "order"})  # fmt: skip
        def SubmitOrder(ctx: Any, order: Any) -> tuple[bool, str]:  # noqa: N802, N805 - Spyne's way
            return True, f"T-{order.number}-{len(order.line)}"

        @exposed(Order.customize(min_occurs=1), _returns=Order, _out_variable_name="order")
        def EchoOrder(ctx: Any, order: Any) -> Any:  # noqa: N802, N805
            return order

    application: Callable[..., Any] = WsgiApplication(
        Application([Orders], NAMESPACE, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11())
    )
    return application
