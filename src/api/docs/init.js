// Starts Swagger UI, and keeps it signed in as far as what is tried out on the page does.
"use strict";

// The security scheme of the document; its token is kept in this page's memory only.
const SCHEME = "access_token";

// Signs the page in and out with what is tried out on it, so that nobody has to copy the access token.
function followSession(response) {
  const path = new URL(response.url, location.href).pathname;
  if (response.ok && (path.endsWith("/login") || path.endsWith("/token/refresh"))) {
    const { access_token: token } = JSON.parse(response.text);
    ui.preauthorizeApiKey(SCHEME, token);
  }
  if (response.ok && path.endsWith("/logout")) {
    ui.authActions.logout([SCHEME]);
  }
  return response;
}

// Follows the colour scheme of the browser, also when it changes.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followColours = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followColours);
followColours();

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  queryConfigEnabled: false,
  responseInterceptor: followSession,
  tryItOutEnabled: true,
  validatorUrl: null,
});
