"""What every room uses: bounded files, artefact folder, console, logs, text, processes. Imports errors only."""
