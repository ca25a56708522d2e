// Signing in: a token goes once to the relay, which gives a cookie for it. The page keeps neither.

import { get, post, remove } from "./api.js";
import { field, h, input, panel } from "./dom.js";

export function signIn(done) {
  const token = input("token", { type: "password", autocomplete: "current-password", required: true, maxlength: 4096 });
  const said = h("p", { class: "note bad", role: "alert", hidden: true });
  const button = h("button", { type: "submit" }, "Sign in");
  const name = input("username", { autocomplete: "username", value: window.location.host, hidden: true }); // for password managers
  const form = h("form", { class: "narrow" }, name, field("Token", token, "One of [[admin.token]], or of admin.token_file."), h("div", { class: "actions" }, button), said);
  const refuse = (words) => {
    said.replaceChildren(words);
    said.hidden = false;
    token.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await post("/session", { token: token.value });
      token.value = "";
      const session = await get("/session");
      if (session.signed_in) done(session);
      else refuse("The browser did not keep the cookie.");
    } catch (problem) {
      refuse(problem.message);
    } finally {
      button.disabled = false;
    }
  });
  if (!window.isSecureContext) {
    for (const control of [token, button]) control.disabled = true;
    said.replaceChildren("This connection could be read on its way. Open the console over HTTPS, or through a tunnel to this machine: ssh -L 8025:localhost:8025 HOST.");
    said.hidden = false;
  }
  return panel("A token is needed", form);
}

// Who asks, for the head of the page; who has signed in can sign out.
export function account(session, out) {
  const { asker } = session;
  const role = `${asker.may_change ? "operator" : "viewer"}${asker.delegates ? ` of ${asker.delegates.join(", ")}` : ""}`;
  const button = session.signed_in && h("button", { type: "button", class: "quiet" }, "Sign out");
  if (button) button.addEventListener("click", () => remove("/session").then(out, out));
  return [h("span", null, h("bdi", null, asker.name), h("span", { class: "muted" }, ` ${role}`)), button];
}
