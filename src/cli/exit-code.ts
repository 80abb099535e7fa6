/** What the exit codes mean. From 64 on they are those of sysexits.h. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 69,
  bug: 70,
  configuration: 78,
} as const;

export const EXIT_CODES_HELP = `Exit codes:
  0   done
  1   refused or failed; one sentence says why
  2   the command line is wrong
  3   there is no such account, session or client
  4   it conflicts with what is there
  69  the database or the mail server does not answer, a port is taken, or the output is full
  70  a bug
  78  the settings or the configuration file are wrong, or the schema is behind`;
