"""The daemon: the service that a configuration makes, twistd's plugin, logging, and running in the foreground."""
