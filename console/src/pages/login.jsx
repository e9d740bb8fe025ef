// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { login, post } from "../api.js";
import { begin } from "../store.js";

// The set-up URL carries its secret behind '#', which no server log sees.
export function setupSecret() {
  const secret = location.hash.slice(1);
  return secret.startsWith("setup_") ? secret : null;
}

export function Login() {
  const [trouble, setTrouble] = useState(null);
  const [busy, setBusy] = useState(false);
  const secret = setupSecret();
  const submit = async (e) => {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    setBusy(true);
    setTrouble(null);
    try {
      if (secret) await post("/setup", { secret, user: form.get("user"), password: form.get("password") });
      await login(form.get("user"), form.get("password"));
      if (secret) history.replaceState(null, "", "/#/overview");
      await begin();
    } catch (error) {
      setTrouble(error);
    }
    setBusy(false);
  };
  return (
    <main class="login">
      <form onSubmit={submit}>
        <img src="icon.svg" alt="" width="48" height="48" />
        <h1>Segue</h1>
        {secret && <p>Make the first administrator. This page works once.</p>}
        <label>user<input name="user" autocomplete="username" required autofocus /></label>
        <label>password<input name="password" type="password" minlength={secret ? 8 : 1} required autocomplete={secret ? "new-password" : "current-password"} /></label>
        {trouble && <p class="trouble" role="alert">{trouble.message}{trouble.remedy && <><br />{trouble.remedy}</>}</p>}
        <button type="submit" disabled={busy}>{secret ? "make and log in" : "log in"}</button>
        <p class="quiet">No account? <code>segue user create NAME --role monitor</code> on the array makes one.</p>
      </form>
    </main>
  );
}
