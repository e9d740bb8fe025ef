// SPDX-License-Identifier: Apache-2.0
// What the console asks of the API: /api/v1, with the cookie of its session.

const base = "/api/v1";
let csrf = null;

export class ApiError extends Error {
  constructor(status, body) {
    const error = (body && body.error) || {};
    super(error.summary || `the array's management answered ${status}`);
    this.status = status;
    this.code = error.code || "";
    this.remedy = error.remedy || "";
  }
}

async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  let answer;
  try {
    answer = await fetch(base + path, {
      method,
      headers,
      credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, { error: { summary: "the array's management is not reached", code: "UNREACHABLE" } });
  }
  const text = await answer.text();
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    json = null;
  }
  if (!answer.ok) throw new ApiError(answer.status, json);
  return json;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const del = (path) => call("DELETE", path);

// Who is asking; null: nobody is logged in.
export async function session() {
  try {
    const who = await get("/session");
    csrf = who.csrf_token;
    return who;
  } catch (e) {
    if (e.status === 401) return null;
    throw e;
  }
}

export async function login(user, password) {
  const who = await post("/session", { user, password });
  csrf = who.csrf_token;
  return who;
}

export async function logout() {
  await del("/session");
  csrf = null;
}
