// @ts-check
// Logs in, sets the first password, opens a session that has locked.

/** @param {string} id */
const at = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
const said = at("said");

/** @param {string} method @param {string} path @param {unknown} [body] */
async function ask(method, path, body) {
  const response = await fetch(path, { method, headers: { "content-type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  return { ok: response.ok, told: text ? JSON.parse(text) : {} };
}

/** What is asked for now. */
let step = "login";

/** @param {string} next */
function show(next) {
  step = next;
  at("who").hidden = next !== "login";
  at("id").required = next === "login";
  at("what").hidden = next === "own";
  at("password").required = next !== "own";
  at("own").hidden = next !== "own";
  at("new").required = next === "own";
  (next === "own" ? at("new") : next === "login" ? at("id") : at("password")).focus();
}

const session = (await ask("GET", "/v1/session")).told;
if (session.locked) show("unlock");
else if (session.must_change) show("own");
else if (session.person) location.replace("/");
else show("login");

document.getElementById("form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "";
  const code = at("code").value.trim() || undefined;
  const password = at("password").value;
  const answer =
    step === "own" ? await ask("POST", "/v1/session/password", { new: at("new").value })
    : step === "unlock" ? await ask("POST", "/v1/session/unlock", { password, code })
    : await ask("POST", "/v1/session", { id: at("id").value.trim(), password, code });
  if (answer.ok && answer.told.must_change) return show("own");
  if (answer.ok) return location.replace("/");
  if (answer.told.title === "Code needed") {
    at("second").hidden = false;
    return at("code").focus();
  }
  said.textContent = answer.told.detail ?? "…";
});
