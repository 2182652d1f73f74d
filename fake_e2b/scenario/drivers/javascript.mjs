// Plays the client steps of a scenario with the published JavaScript SDK.
//
// Reads one JSON object a line, {"id": 1, "do": "run", "arguments": {…}}, and answers each when it
// is done, in whatever order: {"id": 1, "shown": {…}}, {"id": 1, "raised": {"classes": […],
// "text": "…"}}, or {"id": 1, "problem": "…"} where the step itself cannot be played.
// The SDK is the one that is installed for the folder this program runs in.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import path from 'node:path'
import process from 'node:process'

// Standard output is for answers.
console.log = console.error

const SEE_TIMEOUT_MS = 30_000
const require = createRequire(path.join(process.cwd(), 'scenario.js'))

let sdk
try {
  sdk = require('e2b')
} catch (error) {
  const [reason] = error.message.split('\n')
  answer({ problem: `the npm package e2b cannot be loaded from ${process.cwd()}: ${reason}` })
  process.exit(1)
}
const { CommandExitError } = sdk
const { Sandbox } = withInterpreter(sdk)

/** The package that adds the code interpreter, where it is installed and stands on the same SDK. */
function withInterpreter(sdk) {
  try {
    const interpreter = require('@e2b/code-interpreter')
    return interpreter.CommandExitError === CommandExitError ? interpreter : sdk
  } catch {
    return sdk
  }
}

/** The step cannot be played where it stands, or what it waits for never comes. */
class Problem extends Error {}

/** What a command or a terminal puts out, and who waits for it. */
class Watch {
  #unread = ''
  #decoder = new TextDecoder()
  #changed = () => {}

  onText = (piece) => {
    this.#unread += piece
    this.#changed()
  }

  onBytes = (piece) => this.onText(this.#decoder.decode(piece, { stream: true }))

  async until(text, handle) {
    let ended
    handle.wait().then(
      () => this.#end((ended = {})),
      (error) => this.#end((ended = { error })),
    )
    const deadline = Date.now() + SEE_TIMEOUT_MS
    for (;;) {
      const at = this.#unread.indexOf(text)
      if (at >= 0) {
        this.#unread = this.#unread.slice(at + text.length)
        return
      }
      const told = `without ${JSON.stringify(text)}; it showed ${JSON.stringify(this.#unread)}`
      if (ended?.error && !(ended.error instanceof CommandExitError)) throw ended.error
      if (ended) throw new Problem(`the output ended ${told}`)
      if (Date.now() >= deadline) throw new Problem(`${SEE_TIMEOUT_MS / 1000} s went by ${told}`)
      await this.#change(deadline - Date.now())
    }
  }

  #end() {
    this.#changed()
  }

  #change(timeoutMs) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#changed = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

const ids = new Map() // name → sandbox ID
const boxes = new Map() // name → Sandbox
const processes = new Map() // name → { pid, handle, watch }
const terminals = new Map()
const listings = new Map() // name → { paginator, seen }

function found(map, name, what) {
  if (!map.has(name)) throw new Problem(`the ${what} ${JSON.stringify(name)} was not made`)
  return map.get(name)
}

const idOf = (name) => found(ids, name, 'sandbox')

async function boxOf(name) {
  if (!boxes.has(name)) await steps.connect({ sandbox: name })
  return boxes.get(name)
}

function have(name, box) {
  boxes.set(name, box)
  ids.set(name, box.sandboxId)
  return { sandbox_id: box.sandboxId }
}

const inMs = (seconds) => (seconds === undefined ? undefined : seconds * 1000)

/** What is given, in the SDK's names; what is not given is left out. */
function options(given) {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const how = ({ envs, cwd, user, timeout, stdin }) =>
  options({ envs, cwd, user, stdin, timeoutMs: inMs(timeout) })

/** What a command ended with, exit statuses other than 0 included. */
async function result(running) {
  let ended
  try {
    ended = await running
  } catch (error) {
    if (!(error instanceof CommandExitError)) throw error
    ended = error
  }
  return { stdout: ended.stdout, stderr: ended.stderr, exit_code: ended.exitCode }
}

function listen(there, name, handle, watch) {
  // Whoever wants to know asks again; until then it is nobody's unhandled rejection.
  handle.wait().catch(() => {})
  there.set(name, { pid: handle.pid, handle, watch })
  return { pid: handle.pid }
}

async function listed(query) {
  const paginator = Sandbox.list({ query })
  const all = []
  while (paginator.hasNext) all.push(...(await paginator.nextItems()))
  return all
}

const steps = {
  /** A new story: nothing of the one before is known, and another server may be meant. */
  begin({ variables }) {
    for (const map of [ids, boxes, processes, terminals, listings]) map.clear()
    Object.assign(process.env, variables)
  },
  adopt({ sandboxes }) {
    for (const [name, id] of Object.entries(sandboxes)) ids.set(name, id)
  },
  async clean_up() {
    for (const id of ids.values()) await Sandbox.kill(id)
  },
  async create({ sandbox, template, timeout, on_timeout, auto_resume, idempotency_key, ...rest }) {
    const lifecycle = on_timeout && options({ onTimeout: on_timeout, autoResume: auto_resume })
    const box = await Sandbox.create(
      template ?? 'base',
      options({
        timeoutMs: inMs(timeout),
        lifecycle,
        metadata: rest.metadata,
        envs: rest.envs,
        apiKey: rest.api_key,
        // This SDK has no option for it.
        apiHeaders: idempotency_key && { 'Idempotency-Key': idempotency_key },
      }),
    )
    return have(sandbox, box)
  },
  async connect({ sandbox, timeout }) {
    const box = await Sandbox.connect(idOf(sandbox), options({ timeoutMs: inMs(timeout) }))
    return have(sandbox, box)
  },
  async info({ sandbox }) {
    const info = await Sandbox.getInfo(idOf(sandbox))
    return { state: info.state, metadata: info.metadata }
  },
  async is_running({ sandbox }) {
    return { running: await (await boxOf(sandbox)).isRunning() }
  },
  async set_timeout({ sandbox, timeout }) {
    await Sandbox.setTimeout(idOf(sandbox), inMs(timeout))
  },
  async pause({ sandbox }) {
    return { paused: await Sandbox.pause(idOf(sandbox)) }
  },
  async kill({ sandbox }) {
    return { killed: await Sandbox.kill(idOf(sandbox)) }
  },
  async snapshot({ sandbox, name }) {
    return { snapshot_id: (await Sandbox.createSnapshot(idOf(sandbox), options({ name }))).snapshotId }
  },
  async page({ pages, metadata, state, limit }) {
    if (!listings.has(pages)) {
      const paginator = Sandbox.list(options({ query: options({ metadata, state }), limit }))
      listings.set(pages, { paginator, seen: new Set() })
    }
    const { paginator, seen } = listings.get(pages)
    const page = (await paginator.nextItems()).map((each) => each.sandboxId)
    for (const id of page) seen.add(id)
    const names = new Map([...ids].map(([name, id]) => [id, name]))
    return {
      count: page.length,
      sandboxes: page.map((id) => names.get(id) ?? id),
      more: paginator.hasNext,
      seen: seen.size,
    }
  },
  async kill_listed({ metadata, state }) {
    let killed = 0
    for (const each of await listed(options({ metadata, state }))) {
      if (await Sandbox.kill(each.sandboxId)) killed += 1
    }
    return { killed }
  },

  async run({ sandbox, command, ...rest }) {
    return await result((await boxOf(sandbox)).commands.run(command, how(rest)))
  },
  async start({ sandbox, process: name, command, ...rest }) {
    const watch = new Watch()
    const handle = await (await boxOf(sandbox)).commands.run(command, {
      ...how(rest),
      background: true,
      onStdout: watch.onText,
      onStderr: watch.onText,
    })
    return listen(processes, name, handle, watch)
  },
  async output({ process: name, text }) {
    const { watch, handle } = found(processes, name, 'command')
    await watch.until(text, handle)
  },
  async send({ sandbox, process: name, text }) {
    await (await boxOf(sandbox)).commands.sendStdin(found(processes, name, 'command').pid, text)
  },
  async close_input({ sandbox, process: name }) {
    await (await boxOf(sandbox)).commands.closeStdin(found(processes, name, 'command').pid)
  },
  async finish({ process: name }) {
    return await result(found(processes, name, 'command').handle.wait())
  },
  async disconnect({ process: name }) {
    await found(processes, name, 'command').handle.disconnect()
  },
  async reconnect({ sandbox, process: name, timeout }) {
    const watch = new Watch()
    const handle = await (await boxOf(sandbox)).commands.connect(
      found(processes, name, 'command').pid,
      options({ timeoutMs: inMs(timeout), onStdout: watch.onText, onStderr: watch.onText }),
    )
    listen(processes, name, handle, watch)
  },
  async stop({ sandbox, process: name }) {
    const { pid } = found(processes, name, 'command')
    return { killed: await (await boxOf(sandbox)).commands.kill(pid) }
  },
  async run_code({ sandbox, code, envs, timeout }) {
    const box = await boxOf(sandbox)
    if (!box.runCode) throw new Problem('run_code needs the npm package @e2b/code-interpreter')
    const { text, logs, error, results } = await box.runCode(
      code,
      options({ envs, timeoutMs: inMs(timeout) }),
    )
    return {
      text: text ?? '',
      stdout: logs.stdout.join(''),
      stderr: logs.stderr.join(''),
      error: error?.name ?? '',
      results: results.length,
    }
  },
  async processes({ sandbox }) {
    const running = await (await boxOf(sandbox)).commands.list()
    return { count: running.length, commands: running.map((each) => each.args.at(-1) ?? each.cmd) }
  },

  async terminal({ sandbox, terminal, cols, rows, ...rest }) {
    const watch = new Watch()
    const handle = await (await boxOf(sandbox)).pty.create({
      cols,
      rows,
      ...how(rest),
      onData: watch.onBytes,
    })
    return listen(terminals, terminal, handle, watch)
  },
  async type({ sandbox, terminal, text }) {
    const { pid } = found(terminals, terminal, 'terminal')
    await (await boxOf(sandbox)).pty.sendInput(pid, new TextEncoder().encode(text))
  },
  async see({ terminal, text }) {
    const { watch, handle } = found(terminals, terminal, 'terminal')
    await watch.until(text, handle)
  },
  async resize({ sandbox, terminal, cols, rows }) {
    const { pid } = found(terminals, terminal, 'terminal')
    await (await boxOf(sandbox)).pty.resize(pid, { cols, rows })
  },
  async leave({ terminal }) {
    const { exit_code } = await result(found(terminals, terminal, 'terminal').handle.wait())
    return { exit_code }
  },
  async detach({ terminal }) {
    await found(terminals, terminal, 'terminal').handle.disconnect()
  },
  async reattach({ sandbox, terminal, timeout }) {
    const watch = new Watch()
    const { pid } = found(terminals, terminal, 'terminal')
    const handle = await (await boxOf(sandbox)).pty.connect(
      pid,
      options({ timeoutMs: inMs(timeout), onData: watch.onBytes }),
    )
    listen(terminals, terminal, handle, watch)
  },

  async write({ sandbox, path: where, text }) {
    return { path: (await (await boxOf(sandbox)).files.write(where, text)).path }
  },
  async read({ sandbox, path: where }) {
    return { text: await (await boxOf(sandbox)).files.read(where) }
  },
  async exists({ sandbox, path: where }) {
    return { exists: await (await boxOf(sandbox)).files.exists(where) }
  },
  async list_files({ sandbox, path: where }) {
    return { names: (await (await boxOf(sandbox)).files.list(where)).map((each) => each.name) }
  },
  async remove({ sandbox, path: where }) {
    await (await boxOf(sandbox)).files.remove(where)
  },
  async download_url({ sandbox, path: where, expires }) {
    const box = await boxOf(sandbox)
    return { url: await box.downloadUrl(where, options({ useSignatureExpiration: expires })) }
  },
  async upload_url({ sandbox, path: where, expires }) {
    const box = await boxOf(sandbox)
    return { url: await box.uploadUrl(where, options({ useSignatureExpiration: expires })) }
  },
}

/** Names of an error's class and of that one's bases, nearest first. */
function classesOf(error) {
  const names = []
  let proto = Object.getPrototypeOf(error)
  while (proto && proto !== Object.prototype) {
    names.push(proto.constructor.name)
    proto = Object.getPrototypeOf(proto)
  }
  // The classes of a bundle have lost their names; instances say it.
  if (error.name && !names.includes(error.name)) names.unshift(error.name)
  return names
}

function answer(told) {
  process.stdout.write(`${JSON.stringify(told)}\n`)
}

async function play({ id, do: name, arguments: given }) {
  try {
    answer({ id, shown: (await steps[name](given)) ?? {} })
  } catch (error) {
    if (error instanceof Problem) answer({ id, problem: error.message })
    else answer({ id, raised: { classes: classesOf(error), text: error.message } })
  }
}

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => play(JSON.parse(line)))
lines.on('close', () => process.exit(0))
answer({ ready: true })
