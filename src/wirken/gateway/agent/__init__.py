"""One turn: from a recorded message to an attested answer."""
