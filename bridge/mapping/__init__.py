"""From the values of one system to those of another, by a file.

shapes.py   pure: which values a business object or a WSDL message may have, and must
"""
