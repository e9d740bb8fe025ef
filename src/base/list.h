/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_BASE_LIST_H
#define SEGUE_BASE_LIST_H

/* A doubly linked list whose links lie in its members. A head is a struct list that list_init has
 * made; a link that is in no list points at itself. */

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}
/* For a link: is it in a list? */
static inline bool list_linked(const struct list *link)
{
    return link->next != link;
}
static inline void list_insert_before(struct list *at, struct list *link)
{
    link->next = at;
    link->prev = at->prev;
    at->prev->next = link;
    at->prev = link;
}
static inline void list_append(struct list *head, struct list *link)
{
    list_insert_before(head, link);
}
static inline void list_prepend(struct list *head, struct list *link)
{
    list_insert_before(head->next, link);
}
/* Takes the link out, if it is in a list. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

#define list_member(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))
#define list_first(head, type, field) \
    (list_empty(head) ? NULL : list_member((head)->next, type, field))
/* `v` may be removed from the list inside the loop; `n` is a scratch struct list pointer. */
#define list_each(head, link, n)                                            \
    for (struct list *link = (head)->next, *n = link->next; link != (head); \
         link = n, n = link->next)

#endif
