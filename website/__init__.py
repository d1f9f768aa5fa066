"""How notebooks become the site."""
