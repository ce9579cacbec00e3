// A guest that is never idle and has no kernel of its own: for hosts whose KVM emulates what runs in ring 0, where Debian's
// would not finish booting. It says after each 20,000 steps, by the serial port, that they are done.
        .globl _start
_start: mov     $0x3f8, %edx
again:  lea     text(%rip), %rsi
        mov     $text_end - text, %ebx
next:   lodsb
        out     %al, %dx
        dec     %ebx
        jnz     next
        mov     $10000, %ecx
step:   dec     %ecx
        jnz     step
        jmp     again
text:   .ascii  "@busy 20000\n"
text_end:
