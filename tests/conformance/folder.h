/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that everything of a run is in, and one in it for each store. */
#ifndef CONFORMANCE_FOLDER_H
#define CONFORMANCE_FOLDER_H

#define FOLDER_SIZE 512
#define FOLDER_WORD_SIZE 64

/* Makes the run's folder: in TMPDIR, else in /dev/shm for a quick run if there is room, else in
   /tmp. 0, and a line on standard error, if it cannot. */
int folder_begin(int quick);

/* Removes what is in it. What comes next shares no word with what came before, so a process that
   was killed leaves nothing behind that could be mistaken. */
void folder_clear(void);

/* Removes it. */
void folder_end(void);

/* A fresh folder, and a word that no other store of this or another run has. 0 if it cannot. */
int folder_make(char folder[FOLDER_SIZE], char word[FOLDER_WORD_SIZE]);

void folder_remove(const char *path);

#endif
