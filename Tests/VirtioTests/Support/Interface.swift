import CLinux

/// Sets an interface up; apart from what uses `Glibc`, whose idea of a socket's address differs.
func setInterfaceUp(_ name: String, over socket: CInt) -> CInt { bh_interface_up(socket, name) }
