"""The parts of ``sinehil_pipeline.refine``: what is asked of each code, the exact network, the search, the file."""
