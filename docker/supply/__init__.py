"""Check what is in the images and under which licences. All but the lock and audit tools need only Python itself."""
