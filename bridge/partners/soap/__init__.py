"""Partners that speak SOAP: zeep calls, our guard and codec watch over it, our wire knows what left and when to stop."""

from bridge.partners.soap.line import Pong
from bridge.partners.soap.partner import Outgoing, SoapPartner

__all__ = ["Outgoing", "Pong", "SoapPartner"]
