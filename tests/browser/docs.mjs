// Visits the documentation page in Chromium, uses it as a person would, and prints which claims about it hold.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { argv } from "node:process";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { FAULTS, inject } from "./faults.mjs";

// The URL of the service without a trailing slash. It may have a path, such as /auth.
const [service, option, value] = argv.slice(2);
const pictures = option === "--pictures" ? value : undefined;
const fault = option === "--fault" ? FAULTS[value] : undefined;
const only = option === "--only" ? value.split(" ") : fault?.claims;

const TAGS = {
  Login: ["login", "refreshToken", "revokeToken"],
  Account: ["register", "getMe", "changePassword"],
  Sessions: ["logout", "listSessions", "endOtherSessions", "endSession"],
  Keys: ["getJwks"],
  Health: ["getLiveness", "getReadiness"],
};
const USER = { username: "john", password: "my_password" };
const NEW_PASSWORD = "a better password";

// What happens unseen on the page. Chromium logs rejected requests on the console; some are expected.
const seen = { console: [], violations: [], hosts: new Set() };
const rejected = [];

async function watch(context) {
  await context.exposeFunction("tellViolation", (violation) => seen.violations.push(violation));
  await context.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sourceFile, lineNumber }) =>
      window.tellViolation(`${effectiveDirective}: ${blockedURI} at ${sourceFile}:${lineNumber}`),
    ),
  );
  context.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:") seen.hosts.add(origin);
  });
  context.on("page", (page) => page.on("websocket", (socket) => seen.hosts.add(socket.url())));
  context.on("console", (message) =>
    seen.console.push(`${message.type()}: ${message.text()} ${message.location().url}`),
  );
  context.on("weberror", (error) => seen.console.push(`uncaught: ${error.error().message}`));
}

// With an injected fault, only the claims that lead to the one that must fail are tested. With --only, only those of a list
// with spaces between them.
async function claim(name, prove) {
  if (only && !only.includes(name)) return;
  try {
    await prove();
    console.log(`ok: ${name}`);
  } catch (error) {
    console.log(`wrong: ${name}: ${error.message}`);
  }
}

async function picture(page, name, fullPage = false) {
  if (pictures && name) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage });
}

class Operation {
  constructor(page, tag, id) {
    this.page = page;
    this.block = page.locator(`#operations-${tag}-${id}`);
    this.body = this.block.locator("textarea.body-param__text");
    this.parameter = this.block.locator(".parameters input[type=text]");
    this.button = this.block.getByRole("button", { name: "Execute" });
    this.clear = this.block.getByRole("button", { name: "Clear" });
    this.response = this.block.locator(".live-responses-table .response");
  }

  async open() {
    await this.block.waitFor();
    if (!(await this.block.getAttribute("class")).includes("is-open")) {
      await this.block.locator(".opblock-summary-control").click();
    }
    await this.button.waitFor();
  }

  // Executes the operation. Returns what was sent, and what the page shows of the response. Clears an earlier response
  // first.
  async execute(name) {
    if (await this.clear.isVisible()) await this.clear.click();
    await this.response.waitFor({ state: "detached" });
    const [request] = await Promise.all([
      this.page.waitForEvent("requestfinished", (request) => request.resourceType() === "fetch"),
      this.button.click(),
    ]);
    const response = await request.response();
    const status = response.status();
    await this.response.locator(".response-col_status", { hasText: String(status) }).waitFor();
    const body = this.response.locator(".response-col_description pre").first();
    await this.response.evaluate((element) => element.scrollIntoView({ block: "end" }));
    await picture(this.page, name);
    return {
      url: request.url(),
      status,
      shown: status === 204 ? undefined : JSON.parse(await body.innerText()),
      sent: request.postDataJSON(),
      headers: await request.allHeaders(),
      location: await response.headerValue("location"),
    };
  }

  // Does the same for a response that must be a 401.
  async executeRejected(name) {
    const { url, status, shown } = await this.execute(name);
    assert.equal(status, 401);
    rejected.push(`error: Failed to load resource: the server responded with a status of 401 (Unauthorized) ${url}`);
    return shown;
  }
}

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
context.setDefaultTimeout(20_000);
await watch(context);
if (fault) await inject(context, service, fault);
if (pictures) mkdirSync(pictures, { recursive: true });

const served = await (await fetch(`${service}/openapi.json`)).json();
const page = await context.newPage();
const opened = await page.goto(`${service}/docs`);
const operations = Object.fromEntries(
  Object.entries(TAGS).flatMap(([tag, ids]) => ids.map((id) => [id, new Operation(page, tag, id)])),
);
const { register, login, refreshToken, getMe: me, changePassword, logout, listSessions, endSession } = operations;
const { getJwks: jwks } = operations;
const authorize = page.locator(".btn.authorize");
await jwks.block.waitFor();
await picture(page, "1-page", true);

await claim("title", async () => {
  assert.equal(await page.title(), "Vestibule API");
  assert.match(await page.locator(".info h1.title").innerText(), /^Vestibule\b/);
});

await claim("description", async () => {
  const text = await page.locator(".info .description").innerText();
  assert.match(text, /^Users, passwords, sessions and tokens behind one HTTP API\./);
  const paragraphs = served.info.description.replaceAll(/\*\*|`/g, "").split("\n\n");
  assert.deepEqual(text.split(/\n+/).filter(Boolean), paragraphs);
});

await claim("order", async () => {
  const shown = await page.locator(".opblock-tag-section").evaluateAll((sections) =>
    sections.map((section) => [
      section.querySelector(".opblock-tag").dataset.tag,
      [...section.querySelectorAll(".opblock")].map((block) => block.id.split("-").at(-1)),
    ]),
  );
  assert.deepEqual(shown, Object.entries(TAGS));
});

await claim("register", async () => {
  await register.open();
  const { url, status, shown, sent, location } = await register.execute("2-register");
  assert.equal(status, 201);
  assert.equal(url, `${service}/register`);
  assert.equal(new URL(location, url).href, `${service}/me`);
  assert.equal(shown.username, USER.username);
  assert.deepEqual(sent, USER);
});

let tokens;
await claim("login", async () => {
  await login.open();
  const { status, shown, sent, headers } = await login.execute("3-login");
  tokens = shown;
  assert.equal(status, 200);
  assert.equal(shown.token_type, "Bearer");
  assert.deepEqual(sent, USER);
  assert.equal(headers.authorization, undefined);
});

await claim("me", async () => {
  await me.open();
  const { status, shown, headers } = await me.execute("4-me");
  assert.equal(status, 200);
  assert.equal(shown.username, USER.username);
  assert.equal(headers.authorization, `Bearer ${tokens.access_token}`);
});

await claim("refresh", async () => {
  await refreshToken.open();
  await refreshToken.body.fill(JSON.stringify({ refresh_token: tokens.refresh_token }, null, 2));
  const { status, shown } = await refreshToken.execute("5-refresh");
  assert.equal(status, 200);
  assert.notEqual(shown.access_token, tokens.access_token);
  await me.open();
  const { status: known, headers } = await me.execute();
  assert.equal(known, 200);
  assert.equal(headers.authorization, `Bearer ${shown.access_token}`);
});

await claim("sessions", async () => {
  await listSessions.open();
  const { status, shown } = await listSessions.execute("6-session");
  assert.equal(status, 200);
  assert.deepEqual(shown.items.map(({ current }) => current), [true]);
});

await claim("ended", async () => {
  await login.execute();
  const { items } = (await listSessions.execute("7-two-sessions")).shown;
  assert.deepEqual(items.map(({ current }) => current).sort(), [false, true]);
  await endSession.open();
  await endSession.parameter.fill(items.find(({ current }) => !current).id);
  const { status } = await endSession.execute("8-end-session");
  assert.equal(status, 204);
  assert.deepEqual((await listSessions.execute()).shown.items.map(({ id }) => id), [
    items.find(({ current }) => current).id,
  ]);
});

await claim("jwks", async () => {
  await jwks.open();
  const { status, shown } = await jwks.execute("9-keys");
  assert.equal(status, 200);
  assert.deepEqual(shown.keys.map(({ alg }) => alg), ["ES256"]);
});

await claim("rejection", async () => {
  await login.open();
  await login.body.fill(JSON.stringify({ ...USER, password: "not my password" }, null, 2));
  const shown = await login.executeRejected("10-wrong-password");
  assert.equal(shown.message, "Invalid username or password");
  const documented = login.block.locator('.responses-table tr[data-code="401"]').last().locator("pre").first();
  const { request_id, ...example } = JSON.parse(await documented.innerText());
  assert.deepEqual(shown, { ...example, request_id: shown.request_id });
  assert.notEqual(shown.request_id, request_id);
});

await claim("forgotten", async () => {
  await page.reload();
  await me.open();
  const shown = await me.executeRejected("11-after-reload");
  assert.equal(shown.code, "missing_token");
});

await claim("logout", async () => {
  await login.open();
  await login.execute();
  assert.match(await authorize.getAttribute("class"), /\blocked\b/);
  await logout.open();
  const { status } = await logout.execute("12-logout");
  assert.equal(status, 204);
  assert.match(await authorize.getAttribute("class"), /\bunlocked\b/);
  await me.open();
  const shown = await me.executeRejected("13-after-logout");
  assert.equal(shown.code, "missing_token");
});

// The password changes here, so this is the last claim that logs in.
await claim("password", async () => {
  await login.open();
  await login.execute();
  await changePassword.open();
  const { status, sent } = await changePassword.execute("14-password");
  assert.equal(status, 204);
  assert.deepEqual(sent, { current_password: USER.password, new_password: NEW_PASSWORD });
  await login.body.fill(JSON.stringify({ ...USER, password: NEW_PASSWORD }, null, 2));
  assert.equal((await login.execute()).status, 200);
});

// What has too little contrast (WCAG 2, AA), on the page with an operation open, its response and its problem.
async function poorContrast() {
  const { violations } = await page.evaluate(`${axe.source}; axe.run({ runOnly: ["color-contrast"] })`);
  return violations.flatMap(({ nodes }) => nodes.map((node) => `${node.target}: ${node.any[0].message}`));
}

for (const scheme of ["light", "dark"]) {
  await claim(scheme, async () => {
    await page.emulateMedia({ colorScheme: scheme });
    await page.goto(`${service}/docs`);
    await login.open();
    await login.body.fill(JSON.stringify({ ...USER, password: NEW_PASSWORD }, null, 2));
    if (!fault) assert.equal((await login.execute()).status, 200);
    await listSessions.open();
    await page.evaluate(() => scrollTo(0, 0));
    await picture(page, `${scheme === "light" ? 15 : 16}-${scheme}`);
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [brightness] = background.match(/\d+/).map(Number);
    assert.equal(brightness > 127, scheme === "light", `the background is ${background}`);
    assert.deepEqual(await poorContrast(), []);
  });
}

await claim("follows", async () => {
  const shows = (dark) => document.documentElement.classList.contains("dark-mode") === dark;
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto(`${service}/docs`);
  for (const scheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.waitForFunction(shows, scheme === "dark", { timeout: 5_000 });
  }
});

await claim("narrow", async () => {
  await page.setViewportSize({ width: 400, height: 1400 });
  await page.goto(`${service}/docs`);
  await login.open();
  await picture(page, "17-narrow");
  for (const operation of Object.values(operations)) {
    await operation.open();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
  }
});

await claim("policy", async () => {
  assert.match(opened.headers()["content-security-policy"] ?? "", /^default-src 'none'; script-src 'self';/);
  assert.deepEqual(seen.violations, []);
});

await claim("hosts", async () => assert.deepEqual([...seen.hosts], [new URL(service).origin]));

await claim("console", async () => assert.deepEqual(seen.console, rejected));

await browser.close();
