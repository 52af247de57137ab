"""Functions served by an application that is not ours: the host's event loop is the front."""
