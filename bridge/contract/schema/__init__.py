"""XML Schema: documents gathered into one bundle that libxml2 compiles, and the model read from them."""
