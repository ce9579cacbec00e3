enum Help {
    static let text = """
        usage: bulkhead-vm run --kernel FILE [OPTION...]

        Boots a kernel in a virtual machine, with its serial port on this terminal. Ctrl-A x ends the machine, Ctrl-A h
        helps, Ctrl-A Ctrl-A is a Ctrl-A for the guest.

          --kernel FILE              a bzImage, as Debian's /boot/vmlinuz-*, or an ELF file such as vmlinux
          --initrd FILE              the initial RAM disk
          --append TEXT              the kernel's command line (console=ttyS0 panic=-1)
          --boot PROTOCOL            auto, linux64 or pvh (auto)
          --cpus N[,max=N][,threads=N]
                                     processors, 1 to 32, how many there may be later, and how many are in each core (1)
          --memory SIZE[,max=SIZE]   MiB, or with a unit as in 512M and 2G, and how much there may be later (128)
          --disk PATH[,ro][,queues=N][,bandwidth=SIZE][,iops=N]
                                     a disk; the first is vda. Limits are for a second
          --disk socket=PATH[,queues=N]
                                     one that a vhost-user-blk backend serves
          --pmem PATH[,ro]           a file as persistent memory; the first is pmem0
          --net tap=NAME[,mac=ADDRESS][,mtu=N][,queues=N][,bandwidth=SIZE][,pps=N]
                                     a network card on a tap device. Limits are for a second and each direction
          --net passt[,-OPTION...][,mac=ADDRESS]...
                                     a card with the host's network, without root, by the program passt; its options
                                     begin with a dash, as in passt,--tcp-ports=8080:80
          --net socket=PATH[,mac=ADDRESS]...
                                     a card on a Unix socket where a passt listens
          --vsock CID,PATH           sockets between host and guest, behind the Unix socket PATH
          --share PATH,tag=NAME[,ro] a directory that the guest mounts by its tag: mount -t virtiofs NAME /mnt
          --balloon [SIZE]           a balloon, which takes SIZE at the start and reports free pages
          --no-entropy               no random numbers from the host
          --console [serial,|virtio,]stdio|file=PATH|socket=PATH|none
                                     what the serial port leads to, or a virtio console; once for each (stdio)
          --accept-emulation         go on where KVM emulates a guest's kernel, which then does not finish booting
          --seccomp-filter FILE      these seccomp filters instead of the program's own
          --no-seccomp               no seccomp filters
          --config FILE              the same as JSON; options behind it change or add to it
          --gdb PATH|:PORT           wait for GDB at a Unix socket, or at a port of 127.0.0.1, before the first instruction
          --verbose                  say on standard error where the time went and how the machine ended

        Exit status: 0 the guest switched off, 10 it reset, 11 its kernel panicked, 12 triple fault, 13 KVM could not go
        on, 14 ended by Ctrl-A x, 128 + N by signal N; 1 the host refused something, 2 wrong options or configuration,
        3 a kernel or initial RAM disk that is none; 148 a call that a seccomp filter forbids.
        """
}
