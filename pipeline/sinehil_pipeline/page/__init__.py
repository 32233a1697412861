"""``training.html``, one self-contained file about one training, and the PNG plots. May import all rooms but sweep."""

from sinehil_pipeline.page.content import Content
from sinehil_pipeline.page.render import page_html

__all__ = ["Content", "page_html"]
