"""Media planes: what drives the packets of many legs."""
