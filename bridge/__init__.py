"""soapbridge."""
