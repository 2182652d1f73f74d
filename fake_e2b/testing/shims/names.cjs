// Preloaded into Node by fake-e2b (NODE_OPTIONS): leads `*.localhost` to this machine, which such
// names mean by definition (RFC 6761), wherever the machine's own resolver does not know them.
// The names of a fake with a domain of another kind stand in FAKE_E2B_DOMAIN.
'use strict'

const dns = require('node:dns')
const { syncBuiltinESMExports } = require('node:module')

const MARK = Symbol.for('fake-e2b.names')
const SUFFIXES = ['localhost', process.env.FAKE_E2B_DOMAIN].filter(Boolean).map((name) => `.${name}`)
const LOOPBACK = { 4: '127.0.0.1', 6: '::1' }
const FAMILIES = { 4: 4, 6: 6, IPv4: 4, IPv6: 6 }

function isOurs(hostname) {
  if (typeof hostname !== 'string') return false
  const name = hostname.toLowerCase().replace(/\.+$/, '')
  return name !== 'localhost' && SUFFIXES.some((suffix) => `.${name}`.endsWith(suffix))
}

function answer(options) {
  const { family: wanted, all } =
    typeof options === 'object' && options ? options : { family: options }
  const family = FAMILIES[wanted] ?? 4
  const found = { address: LOOPBACK[family], family }
  return all ? [found] : found
}

if (!dns.lookup[MARK]) {
  const { lookup, promises } = dns
  const lookupLater = promises.lookup

  dns.lookup = function (hostname, options, callback) {
    const done = typeof options === 'function' ? options : callback
    if (!isOurs(hostname) || typeof done !== 'function') return lookup.apply(dns, arguments)
    const found = answer(options)
    process.nextTick(() => {
      if (Array.isArray(found)) done(null, found)
      else done(null, found.address, found.family)
    })
    return {}
  }
  // With what util.promisify reads.
  Object.defineProperties(dns.lookup, Object.getOwnPropertyDescriptors(lookup))
  Object.defineProperty(dns.lookup, MARK, { value: true })

  promises.lookup = async function (hostname, options) {
    return isOurs(hostname) ? answer(options) : lookupLater.apply(promises, arguments)
  }
  syncBuiltinESMExports()
}
