#if arch(x86_64)
    import CConfinement
    import Glibc
    import Machines
    import Seccomp
    import Testing

    @testable import bulkhead_vm

    /// What each kind of thread may ask of the kernel, asked of the filters themselves.
    @Suite struct ThreadFilterTests {
        private static let programs = ThreadFilters.all.mapValues { try! $0.compile().program }

        private func answer(_ role: ThreadRole, _ name: String, _ arguments: UInt64...) throws -> SeccompAction {
            try #require(Self.programs[role]).simulate(try SystemCall(name, arguments))
        }

        @Test func everyKindHasAFilterOfKnownCalls() throws {
            #expect(Set(ThreadFilters.all.keys) == Set(ThreadRole.all))
            for (role, profile) in ThreadFilters.all {
                #expect(try profile.compile().skipped.isEmpty, "\(role)")
            }
        }

        /// Nothing that leaves the process, whatever the thread is.
        static let never: [(String, [UInt64])] = [
            ("execve", []), ("execveat", []), ("fork", []), ("vfork", []), ("clone", [UInt64(SIGCHLD)]),
            ("ptrace", []), ("process_vm_readv", []), ("process_vm_writev", []), ("pidfd_getfd", []),
            ("pidfd_open", []), ("kill", [1, 9]), ("tkill", [1, 9]), ("tgkill", [1, 1, 9]),
            ("socket", [UInt64(AF_INET)]), ("socket", [UInt64(AF_INET6)]), ("socket", [UInt64(AF_NETLINK)]),
            ("socket", [UInt64(AF_PACKET)]), ("socket", [UInt64(AF_VSOCK)]),
            ("mount", []), ("umount2", []), ("pivot_root", []), ("chroot", []), ("setns", []), ("unshare", []),
            ("open_by_handle_at", []), ("mknod", []), ("chown", []), ("chmod", []), ("link", []), ("symlink", []),
            ("setuid", []), ("setresuid", []), ("capset", []), ("keyctl", []), ("add_key", []), ("bpf", []),
            ("perf_event_open", []), ("init_module", []), ("kexec_load", []), ("reboot", []), ("iopl", []),
            ("mmap", [0, 4096, UInt64(PROT_READ | PROT_EXEC)]), ("mprotect", [0, 4096, UInt64(PROT_EXEC)]),
            ("ioctl", [0, UInt64(TIOCSTI)]), ("ioctl", [0, 0x5452]), ("modify_ldt", []), ("personality", []),
        ]

        @Test(arguments: ThreadRole.all) func noneLeavesTheProcess(_ role: ThreadRole) throws {
            for (name, arguments) in Self.never {
                // A shared directory's thread makes pipes in it, and is under the API's filter, too.
                if name == "mknodat", role == .share || role == .api { continue }
                let program = try #require(Self.programs[role])
                #expect(program.simulate(try SystemCall(name, arguments)) == .trap, "\(role): \(name)\(arguments)")
            }
        }

        @Test(arguments: ThreadRole.all) func noneIsReachedThroughAnotherEntry(_ role: ThreadRole) throws {
            let program = try #require(Self.programs[role])
            // read(2) and exit(2) of 32-bit and of x32 programs, and what no kernel has yet.
            #expect(program.simulate(SystemCall(number: 3, on: .x86)) == .trap)
            #expect(program.simulate(SystemCall(number: 1, on: .x86)) == .trap)
            #expect(program.simulate(SystemCall(number: 0x4000_0000, on: .x32)) == .trap)
            #expect(program.simulate(SystemCall(number: 1000)) == .trap)
        }

        @Test(arguments: ThreadRole.all) func everyOneCanEndInGoodOrder(_ role: ThreadRole) throws {
            #expect(try answer(role, "write", UInt64(STDERR_FILENO)) == .allow)
            #expect(try answer(role, "exit_group", 148) == .allow)
            #expect(try answer(role, "ioctl", 0, UInt64(TCSETS)) == .allow)
            #expect(try answer(role, "mmap", 0, 4096, UInt64(PROT_READ | PROT_WRITE)) == .allow)
            #expect(try answer(role, "futex") == .allow)
            #expect(try answer(role, "tgkill", UInt64(getpid()), 1, UInt64(SIGABRT)) == .allow)
        }

        @Test func onlyTheAPIAndASharedDirectoryOpenFiles() throws {
            for role in ThreadRole.all where role != .api && role != .share {
                for name in [
                    "open", "openat", "openat2", "creat", "memfd_create", "bind", "listen", "io_uring_setup",
                    "io_uring_register",
                ] {
                    // A shared directory's thread opens what is in it.
                    if role == .share, name.hasPrefix("openat") { continue }
                    #expect(try answer(role, name) == .trap, "\(role): \(name)")
                }
                for request in [BH_KVM_CREATE_VM, BH_KVM_CREATE_VCPU, BH_KVM_SET_USER_MEMORY_REGION, BH_TUNSETIFF] {
                    // Memory comes and goes as the guest's driver asks.
                    if role == .devices, request == BH_KVM_SET_USER_MEMORY_REGION { continue }
                    #expect(try answer(role, "ioctl", 5, UInt64(request)) == .trap, "\(role): \(request)")
                }
            }
            #expect(try answer(.api, "openat") == .allow)
            #expect(try answer(.share, "openat2") == .allow)
            for name in ["open", "memfd_create", "bind", "io_uring_setup", "connect", "poll"] {
                #expect(try answer(.share, name) == .trap, "\(name)")
            }
        }

        @Test func onlyAProcessorRunsTheGuest() throws {
            for role in ThreadRole.all {
                let isAllowed = try answer(role, "ioctl", 5, UInt64(BH_KVM_RUN)) == .allow
                // The API's thread makes processors, which are under its filter too.
                #expect(isAllowed == (role == .processor || role == .api), "\(role)")
            }
            // The request is an unsigned int to the kernel: what is above does not count.
            #expect(try answer(.processor, "ioctl", 5, 1 << 32 | UInt64(BH_KVM_RUN)) == .allow)
            // A guest that has read what came to its machine lowers the line that told it of that.
            #expect(try answer(.processor, "ioctl", 5, UInt64(BH_KVM_IRQ_LINE)) == .allow)
            #expect(try answer(.devices, "ioctl", 5, UInt64(BH_KVM_IRQ_LINE)) == .trap)
            #expect(try answer(.devices, "ioctl", 5, UInt64(BH_KVM_SET_USER_MEMORY_REGION)) == .allow)
        }

        /// A driver's start asks the process that serves its disk, in a processor's thread.
        @Test func anAnswerBringsNoDescriptorThatIsInherited() throws {
            for role in [ThreadRole.processor, .devices, .main] {
                #expect(try answer(role, "recvmsg", 5, 0, UInt64(MSG_CMSG_CLOEXEC)) == .allow, "\(role)")
                #expect(try answer(role, "recvmsg", 5, 0, 0) == .trap, "\(role)")
            }
            #expect(try answer(.serial, "recvmsg", 5, 0, UInt64(MSG_CMSG_CLOEXEC)) == .trap)
        }

        @Test func socketsAreTheDevicesAlone() throws {
            #expect(try answer(.devices, "socket", UInt64(AF_UNIX), UInt64(SOCK_STREAM.rawValue)) == .allow)
            #expect(try answer(.devices, "connect") == .allow)
            for role in [ThreadRole.processor, .share, .serial, .console, .main] {
                #expect(try answer(role, "socket", UInt64(AF_UNIX)) == .trap, "\(role)")
                #expect(try answer(role, "connect") == .trap, "\(role)")
            }
            for role in [ThreadRole.serial, .console] {
                for name in ["io_uring_enter", "pwritev2", "unlink", "fallocate", "epoll_ctl"] {
                    #expect(try answer(role, name) == .trap, "\(role): \(name)")
                }
            }
        }

        /// A thread that the API's makes is under both filters: where they differ, it could not do its work.
        @Test func theAPIsFilterHoldsAllTheOthers() throws {
            let program = try #require(Self.programs[.api])
            for (role, profile) in ThreadFilters.all {
                for rule in profile.rules where rule.action == .allow {
                    var arguments = [UInt64](repeating: 0, count: 6)
                    for test in rule.tests { arguments[Int(test.index)] = test.valueTwo }
                    for name in rule.names {
                        #expect(
                            program.simulate(try SystemCall(name, arguments)) == .allow, "\(role): \(name)\(arguments)")
                    }
                }
            }
        }

        @Test func theAPIMakesThreadsAndNoProcesses() throws {
            // What pthread_create(3) asks clone(2) for.
            #expect(try answer(.api, "clone", 0x3d0f00) == .allow)
            #expect(try answer(.api, "clone3") == .errno(.noSystemCall))
            for role in ThreadRole.all where role != .api {
                #expect(try answer(role, "clone", 0x3d0f00) == .trap, "\(role)")
                #expect(try answer(role, "clone3") == .trap, "\(role)")
            }
        }
    }
#endif
