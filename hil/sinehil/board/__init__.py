"""What is behind a port: wire protocol, transport, locks, link, requests in flight, device."""
