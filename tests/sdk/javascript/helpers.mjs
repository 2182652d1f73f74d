// What several tests need: sandboxes that end with their test, and a terminal to wait on.
import { randomUUID } from 'node:crypto'

/** Metadata that only one test uses, so that the tests of a file do not see each other. */
export function uniqueMetadata(more = {}) {
  return { test: randomUUID(), ...more }
}

/** Create with `make` and kill the sandbox when the test `t` is over. */
export async function keep(t, make) {
  const sandbox = await make
  t.after(() => sandbox.kill())
  return sandbox
}

/** Ask `probe` again and again until it gives something true. */
export async function eventually(probe, timeoutMs = 10_000) {
  const deadline = Date.now() + timeoutMs
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${probe}`)
  }
}

/** Collects what `onData` gets; `until` waits for a text. */
export class Screen {
  shown = ''
  #decoder = new TextDecoder()
  #waiting = new Set()

  onData = (data) => {
    this.shown += this.#decoder.decode(data, { stream: true })
    for (const check of this.#waiting) check()
  }

  until(wanted, timeoutMs = 20_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        reject(new Error(`no ${JSON.stringify(wanted)} in ${JSON.stringify(this.shown)}`))
      }, timeoutMs)
      const check = () => {
        if (!this.shown.includes(wanted)) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(this.shown)
      }
      this.#waiting.add(check)
      check()
    })
  }
}

export const bytes = (text) => new TextEncoder().encode(text)
