"""``training.html``: everything a reader wants to know of one training, in one file that loads nothing."""

from sinehil_pipeline.page.content import Content
from sinehil_pipeline.page.render import page_html

__all__ = ["Content", "page_html"]
