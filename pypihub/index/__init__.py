"""The pure room: names, the model, replace rules, pages, content negotiation.

Nothing here imports Twisted, opens a socket or reads a clock; a test holds that.
"""
