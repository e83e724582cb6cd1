// Starts Swagger UI, and passes the access token of a login on the page to later requests.
"use strict";

// The security scheme of the document. The page keeps its token in memory only.
const SCHEME = "access_token";

// Stores the access token of a login or refresh, and removes it after a logout, so that nobody has to copy it.
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
