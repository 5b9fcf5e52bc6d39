"""How processes talk: frames, handshake, links, and the typed questions in `calls/`."""
