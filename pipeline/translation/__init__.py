"""Generate notebooks and README.ko.md from English sources and gettext catalogues. May import sinehil.errors."""
