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

// The address that the page was loaded from, without the page's own name. Requests go there and not to the server of the
// document, so that the page also works at another address of the service, such as 127.0.0.1, and its content security
// policy (`connect-src 'self'`) holds.
const HERE = new URL(".", location.href).href.replace(/\/$/, "");

// A plugin of Swagger UI that replaces the servers of the loaded document.
const callThisServer = () => ({
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (original) => (spec) => original({ ...spec, servers: [{ url: HERE }] }) } },
  },
});

// Follows the colour scheme of the browser, also when it changes.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followColours = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followColours);
followColours();

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [callThisServer],
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
