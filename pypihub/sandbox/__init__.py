"""A GitHub in a box: a stand-in for GitHub's GraphQL API, REST API, uploads and asset storage on real sockets.

It is for tests, demonstrations and measurements, and knows nothing of the rooms that it stands in for. `world` and
`fill` hold the data, `server` puts it on the network, `faults` makes it fail in the ways in which GitHub fails.
"""
