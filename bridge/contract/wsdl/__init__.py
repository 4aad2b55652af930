"""WSDL 1.1: definitions as they are written, operations as they are hosted, documents as they are served."""
