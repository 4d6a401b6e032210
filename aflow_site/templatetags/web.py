"""What the templates of the web application need to know of Vite's build."""

from __future__ import annotations

from django import template

from aflow_site.web.assets import APP, PAGES, Assets, assets_of

register = template.Library()


@register.simple_tag
def app_assets() -> Assets | None:
    """Scripts and styles of the application; None when it is not built."""
    return assets_of(APP)


@register.simple_tag
def page_styles() -> tuple[str, ...]:
    """Addresses of the styles for pages that Django renders itself: sign-in, errors."""
    found = assets_of(PAGES)
    return found.styles if found else ()
