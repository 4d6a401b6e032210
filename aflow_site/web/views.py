"""The pages that are not the API: the web application's shell, and sign-in.

Does not: read or write anything of the product. The application asks the API for all of it.
"""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie


@never_cache
@login_required
@ensure_csrf_cookie
def shell(request: HttpRequest) -> HttpResponse:
    """The page that loads the application, for every address that the application knows."""
    return render(request, "shell.html")


class SignIn(LoginView):
    redirect_authenticated_user = True
