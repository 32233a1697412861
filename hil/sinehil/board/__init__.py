"""What is behind a port: protocol, transport, locks, link, exchange, device, trace. Imports model and base."""
