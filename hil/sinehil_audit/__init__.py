"""How we try ourselves: link faults, mutated kernels, soaks, and other people's engines. Only commands import it."""
