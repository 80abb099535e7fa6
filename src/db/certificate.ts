/** Whether a connection failed because the server's certificate is not trusted. Knows no server. */

/** The words of OpenSSL and of Node, also where a client quotes them in an error of its own. */
export const isCertificateFault = (error: unknown): error is Error =>
  error instanceof Error && /\bcertificate\b/i.test(error.message);
