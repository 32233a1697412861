"""What every room stands on: bounded files, staging, the artefact folder, console, untrusted text, child processes."""
