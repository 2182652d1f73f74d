// @ts-check
/**
 * A rule: which requests, what becomes of them, when and how often.
 * @typedef {object} Rule
 * @property {string} [name]
 * @property {Record<string, unknown>} [match] `{ operation: 'createSandbox', command: 'rm *', … }`
 * @property {{ kind: string } & Record<string, unknown>} effect `{ kind: 'status', status: 503 }`
 * @property {string} [at] `arrived`, `done` or `frame=3`
 * @property {number} [times]
 */

/** The powers of a fake over its clients: what a test in JavaScript asks of it. */
export class Fake {
  /** @param {string} [url] where the fake is */
  constructor(url = process.env.E2B_API_URL) {
    if (!url) throw new Error('no fake: set E2B_API_URL, or run by `fake-e2b run --`')
    this.url = url
  }

  /**
   * @param {string} method
   * @param {string} path below `/_fake`
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async ask(method, path, body) {
    const answer = await fetch(`${this.url}/_fake${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const told = await answer.json()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${told.message ?? ''}`)
    return told
  }

  /** Kill every sandbox and take every rule back. */
  reset = () => this.ask('POST', '/reset')

  /** @param {number} seconds moves the clock; returns what fell due on the way */
  advance = (seconds) => this.ask('POST', '/clock/advance', { seconds })

  /** @param {Rule} rule put in force from the next request on */
  addFault = (rule) => this.ask('POST', '/faults', rule)

  /** @param {string} name */
  removeFault = (name) => this.ask('DELETE', `/faults/${encodeURIComponent(name)}`)

  /**
   * Hold requests until `release`.
   * @param {string} operation
   * @param {Omit<Rule, 'effect' | 'match'>} [rest]
   */
  async hold(operation, rest = {}) {
    const { name } = await this.ask('POST', '/gates', { match: { operation }, ...rest })
    const path = `/gates/${encodeURIComponent(name)}`
    return {
      arrived: (count = 1) => this.ask('POST', `${path}/wait`, { count }),
      release: () => this.ask('POST', `${path}/release`),
      remove: () => this.ask('DELETE', path),
    }
  }

  /**
   * Answer calls of a program in its place.
   * @param {Record<string, unknown>} form `{ command: 'npm install', stdout: 'added 5 packages\n' }`
   */
  async stub(form) {
    const { name } = await this.ask('POST', '/stubs', form)
    const path = `/stubs/${encodeURIComponent(name)}`
    return {
      name,
      calls: async () => (await this.ask('GET', path)).calls,
      remove: () => this.ask('DELETE', path),
    }
  }

  /**
   * Fail unless that was asked, once if no count is given; the error shows the nearest miss.
   * @param {string} operation
   * @param {Record<string, unknown>} [fields] `{ body__metadata__userId: '123', status: 201 }`
   * @param {{ times?: number, atLeast?: number, atMost?: number, timeoutS?: number }} [how]
   * @returns {Promise<any[]>} the records that fit
   */
  async expect(operation, fields = {}, how = {}) {
    return (await this.ask('POST', '/journal/expect', { operation, fields, ...how })).records
  }

  /** @param {string} operation every request of that name, oldest first */
  async requests(operation) {
    return (await this.ask('GET', `/journal?operation=${encodeURIComponent(operation)}`)).records
  }
}
