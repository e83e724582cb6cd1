// Faults of the documentation page: one of its files or a response of the service is changed on its way to the browser.
import assert from "node:assert/strict";

const signedIn = ["register", "login", "me"];

// For each fault: the claims to test, of which the last one must fail; the file to change; and the change.
export const FAULTS = {
  "another title": {
    claims: ["title"],
    path: "/openapi.json",
    change: (text) => edited(text, ({ info }) => (info.title = "Swagger UI")),
  },
  "a description without its first sentence": {
    claims: ["description"],
    path: "/openapi.json",
    change: (text) => edited(text, ({ info }) => (info.description = info.description.replace(/^.*?\n/, ""))),
  },
  "tags in another order": {
    claims: ["order"],
    path: "/openapi.json",
    change: (text) => edited(text, ({ tags }) => tags.reverse()),
  },
  "an example that fails": {
    claims: ["register", "login"],
    path: "/openapi.json",
    change: (text) => edited(text, ({ paths }) => (bodyOf(paths["/login"].post).example.password += "?")),
  },
  "a page that calls the server of the document": {
    claims: ["register"],
    path: "/docs/init.js",
    change: (text) => text.replace("plugins: [callThisServer],", ""),
  },
  "a login whose token is not used": {
    claims: signedIn,
    path: "/docs/init.js",
    change: (text) => text.replace("responseInterceptor:", "ignored:"),
  },
  "a refreshed token that is not used": {
    claims: ["register", "login", "refresh"],
    path: "/docs/init.js",
    change: (text) => text.replace("/token/refresh", "/token/other"),
  },
  "no current session": {
    claims: ["register", "login", "sessions"],
    path: "/me/sessions",
    change: (text) => text.replaceAll('"current":true', '"current":false'),
  },
  "a session ID in the wrong place": {
    claims: ["register", "login", "sessions", "ended"],
    path: "/openapi.json",
    change: (text) =>
      edited(text, ({ paths }) => (paths["/me/sessions/{session_id}"].delete.parameters[0].in = "query")),
  },
  "another 401 than the documented one": {
    claims: ["register", "rejection"],
    path: "/openapi.json",
    change: (text) => text.replaceAll("Invalid username or password", "Go away"),
  },
  "a token that outlives the page": {
    claims: [...signedIn, "forgotten"],
    path: "/docs/init.js",
    change: keepToken,
  },
  "a token that outlives the logout": {
    claims: ["register", "logout"],
    path: "/docs/init.js",
    change: keepToken,
  },
  "a logout that the page ignores": {
    claims: ["register", "logout"],
    path: "/docs/init.js",
    change: (text) => text.replace("/logout", "/other"),
  },
  "an example with another password": {
    claims: ["register", "password"],
    path: "/openapi.json",
    change: (text) =>
      edited(text, ({ paths }) => (bodyOf(paths["/me/password"].post).example.current_password += "?")),
  },
  "pale text": {
    claims: ["light"],
    path: "/docs/page.css",
    change: (text) => `${text} .swagger-ui .opblock-summary-description { color: #bbb !important; }`,
  },
  "dark text on a dark page": {
    claims: ["dark"],
    path: "/docs/page.css",
    change: (text) => text.replace("--bad: #ff9d94;", ""),
  },
  "a page that stays light": {
    claims: ["dark"],
    path: "/docs/init.js",
    change: (text) => text.replace("dark.matches", "false"),
  },
  "a page that does not follow a change": {
    claims: ["follows"],
    path: "/docs/init.js",
    change: (text) => text.replace("dark.addEventListener", "void "),
  },
  "content wider than the window": {
    claims: ["narrow"],
    path: "/docs/page.css",
    change: (text) => `${text} main { width: 1000px; }`,
  },
  "an inline style": {
    claims: ["policy"],
    path: "/docs",
    change: (text) => text.replace("<main", '<main style="color: red"'),
  },
  "an inline script": {
    claims: ["policy"],
    path: "/docs",
    change: (text) => text.replace("<main", "<script>void 0</script><main"),
  },
  "a missing content security policy": {
    claims: ["policy"],
    path: "/docs",
    withoutPolicy: true,
  },
  "an image from another host": {
    claims: ["hosts"],
    path: "/docs",
    withoutPolicy: true,
    change: (text) => text.replace("<main", '<img src="http://127.0.0.2:9/pixel.png"><main'),
  },
  "an error on the console": {
    claims: ["console"],
    path: "/docs/init.js",
    change: (text) => `${text} console.error("injected");`,
  },
  "an uncaught exception": {
    claims: ["console"],
    path: "/docs/init.js",
    change: (text) => `${text} injected();`,
  },
  "a missing file": {
    claims: ["console"],
    path: "/docs",
    change: (text) => text.replace("docs/page.css", "docs/missing.css"),
  },
};

export async function inject(context, service, { path, change, withoutPolicy }) {
  await context.route(`${service}${path}`, async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    const body = change ? change(text) : text;
    if (change) assert.notEqual(body, text, "the fault changes nothing");
    const headers = response.headers();
    if (withoutPolicy) delete headers["content-security-policy"];
    await route.fulfill({ response, headers, body });
  });
}

// Sends the last token with every request that has none.
function keepToken(text) {
  return `${text}
    const plain = window.fetch;
    window.fetch = (url, options = {}) => {
      const headers = { ...options.headers };
      const kept = headers.Authorization ?? sessionStorage.getItem("kept");
      if (kept) sessionStorage.setItem("kept", (headers.Authorization = kept));
      return plain(url, { ...options, headers });
    };`;
}

function edited(text, edit) {
  const document = JSON.parse(text);
  edit(document);
  return JSON.stringify(document);
}

function bodyOf(operation) {
  return operation.requestBody.content["application/json"];
}
