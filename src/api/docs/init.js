// Starts Swagger UI, and signs it in after a login that was tried out on the page.
"use strict";

// The security scheme of the document; its token is kept in this page's memory only.
const SCHEME = "access_token";

// Signs the page in after a login that was tried out here, so that nobody has to copy the token.
function authorizeAfterLogin(response) {
  const path = new URL(response.url, location.href).pathname;
  if (response.ok && path.endsWith("/login")) {
    const { access_token: token } = JSON.parse(response.text);
    ui.preauthorizeApiKey(SCHEME, token);
  }
  return response;
}

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
  responseInterceptor: authorizeAfterLogin,
  tryItOutEnabled: true,
  validatorUrl: null,
});
