import { csrfToken } from "@/api/client";

/** Ends the session, by the form that Django expects: a POST with the CSRF token. */
export function logOut(): void {
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/logout/";
  const token = document.createElement("input");
  token.type = "hidden";
  token.name = "csrfmiddlewaretoken";
  token.value = csrfToken();
  form.append(token);
  document.body.append(form);
  form.submit();
}
